// Of each group of columns, some `wide` from `start` on.
struct Params { x: u32, y: u32, len: u32, group: u32, start: u32, wide: u32 }

fn each(i: u32) {
  arena[p.y + i] = arena[p.x + i / p.wide * p.group + p.start + i % p.wide];
}
