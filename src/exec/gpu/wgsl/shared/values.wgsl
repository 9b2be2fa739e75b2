// What every kernel has: its parameters, and the buffer in which all values of a run lie.
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> arena: array<f32>;
