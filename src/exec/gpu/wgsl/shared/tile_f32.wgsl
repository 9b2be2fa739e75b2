// Four numbers of a tile in workgroup memory.
alias Tile = vec4<f32>;

fn tile(x: vec4<f32>) -> Tile {
  return x;
}
