// Activations, with the polynomials of exec/cpu/math.rs. ACT counts as kernels.rs does; 0 is none.
override ACT: u32 = 0u;

// 1/(1 + e^−x). Beyond 88, eˣ is no number of f32.
fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(min(-x, 88.0)));
}

// The tail of the normal distribution beyond a ≥ 0, whose logarithm is close to a parabola.
fn normal_tail(a: f32) -> f32 {
  var t = fma(-8.758002e-7, a, 1.8454914e-5);
  t = fma(t, a, -9.881794e-5);
  t = fma(t, a, -3.190078e-4);
  t = fma(t, a, 7.263736e-3);
  t = fma(t, a, -5.2609064e-2);
  t = fma(t, a, -0.4591794);
  t = fma(t, a, -1.1511075);
  t = fma(t, a, -1.0);
  return exp2(max(t, -126.0));
}

// ln(1 + t) for t in 0…1.
fn ln_1p(t: f32) -> f32 {
  var s = fma(5.232691e-3, t, -2.9505229e-2);
  s = fma(s, t, 7.822595e-2);
  s = fma(s, t, -0.13663246);
  s = fma(s, t, 0.19106008);
  s = fma(s, t, -0.24842982);
  s = fma(s, t, 0.33319098);
  s = fma(s, t, -0.49999493);
  s = fma(s, t, 0.99999994);
  return t * s;
}

fn act(x: f32) -> f32 {
  if (ACT == 1u) { return x * sigmoid(x); }
  // ½x(1 + tanh(z)) is x·σ(2z).
  if (ACT == 2u) { return x * sigmoid(1.595769 * (x + 0.044715 * x * x * x)); }
  if (ACT == 3u) { return max(x, 0.0) - abs(x) * normal_tail(abs(x)); }
  if (ACT == 4u) { return x * sigmoid(1.702 * x); }
  if (ACT == 5u) { return sigmoid(x); }
  if (ACT == 6u) { return max(x, 0.0) + ln_1p(exp(-abs(x))); }
  return x;
}
