// x as it is.
struct Params { x: u32, y: u32, len: u32 }

fn each(i: u32) {
  arena[p.y + i] = arena[p.x + i];
}
