// factor·act(x).
struct Params { x: u32, y: u32, len: u32, factor: f32 }

fn each(i: u32) {
  arena[p.y + i] = p.factor * act(arena[p.x + i]);
}
