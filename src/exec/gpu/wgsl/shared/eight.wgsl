// Eight neighbouring weights of a row: the unit that every format unpacks.
struct Eight { a: vec4<f32>, b: vec4<f32> }
