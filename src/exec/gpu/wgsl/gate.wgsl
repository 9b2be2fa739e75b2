// act(a)·b.
struct Params { a: u32, b: u32, y: u32, len: u32 }

fn each(i: u32) {
  arena[p.y + i] = act(arena[p.a + i]) * arena[p.b + i];
}
