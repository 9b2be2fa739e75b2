// Four numbers of a tile in workgroup memory, as halves: what is beyond the largest half becomes that.
alias Tile = vec4<f16>;

fn tile(x: vec4<f32>) -> Tile {
  return vec4<f16>(clamp(x, vec4<f32>(-65504.0), vec4<f32>(65504.0)));
}
