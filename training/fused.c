// Element-wise passes of the network on bfloat16 rows, forward and backward, each one sweep over memory.
//
// On a CPU with AMX the matrix products take less time than PyTorch's GELU, softmax and RoPE around them;
// these loops are written so that GCC vectorises them (-O3 -march=native -ffast-math).
// Everything computes in f32 and rounds once, to nearest even. Called through ctypes by ops.py.

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t bf16;

static inline float up(bf16 x) {
    uint32_t u = (uint32_t)x << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static inline bf16 down(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    return (bf16)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

// The fast reciprocal of infinity is NaN, so no exponent may reach it.
static inline float exp_of(float x) { return expf(x > 80.f ? 80.f : x < -80.f ? -80.f : x); }

// tanh-GELU as x·σ(2u), u = √(2/π)(x + 0.044715x³).
void gelu(const bf16 *x, bf16 *y, long n) {
    for (long i = 0; i < n; i++) {
        float v = up(x[i]), u = 1.5957691216f * (v + 0.044715f * v * v * v);
        y[i] = down(v / (1.f + exp_of(-u)));
    }
}

void gelu_back(const bf16 *x, const bf16 *dy, bf16 *dx, long n) {
    for (long i = 0; i < n; i++) {
        float v = up(x[i]), u = 1.5957691216f * (v + 0.044715f * v * v * v);
        float s = 1.f / (1.f + exp_of(-u));
        float du = 1.5957691216f * (1.f + 0.134145f * v * v);
        dx[i] = down(up(dy[i]) * (s + v * s * (1.f - s) * du));
    }
}

// SwiGLU: rows of [gate, up], each half `h` wide; y = silu(gate)·up.
void swiglu(const bf16 *x, bf16 *y, long rows, long h) {
    for (long r = 0; r < rows; r++) {
        const bf16 *g = x + 2 * r * h, *u = g + h;
        bf16 *o = y + r * h;
        for (long i = 0; i < h; i++) {
            float v = up(g[i]);
            o[i] = down(v / (1.f + exp_of(-v)) * up(u[i]));
        }
    }
}

void swiglu_back(const bf16 *x, const bf16 *dy, bf16 *dx, long rows, long h) {
    for (long r = 0; r < rows; r++) {
        const bf16 *g = x + 2 * r * h, *u = g + h, *d = dy + r * h;
        bf16 *dg = dx + 2 * r * h, *du = dg + h;
        for (long i = 0; i < h; i++) {
            float v = up(g[i]), s = 1.f / (1.f + exp_of(-v)), e = up(d[i]);
            du[i] = down(e * v * s);
            dg[i] = down(e * up(u[i]) * s * (1.f + v * (1.f - s)));
        }
    }
}

// Softmax of attention scores [groups, heads, q, k], in place, after `scale`.
// keys[g] > 0 keeps the first keys[g] columns (padded views); allow [groups, q, k] keeps where it is 1 (either may be null).
void softmax(bf16 *s, const int32_t *keys, const uint8_t *allow, float scale, long groups, long heads, long q, long k) {
    float row[4096];
    for (long g = 0; g < groups; g++)
        for (long h = 0; h < heads; h++)
            for (long i = 0; i < q; i++) {
                bf16 *p = s + ((g * heads + h) * q + i) * k;
                long n = keys ? keys[g] : k;
                float top = -1e30f, sum = 0.f;
                if (allow) {
                    const uint8_t *a = allow + (g * q + i) * k;
                    for (long j = 0; j < n; j++) row[j] = a[j] ? up(p[j]) * scale : -1e30f;
                } else {
                    for (long j = 0; j < n; j++) row[j] = up(p[j]) * scale;
                }
                for (long j = 0; j < n; j++) top = row[j] > top ? row[j] : top;
                for (long j = 0; j < n; j++) { row[j] = exp_of(row[j] - top); sum += row[j]; }
                float inv = 1.f / sum;
                for (long j = 0; j < n; j++) p[j] = down(row[j] * inv);
                for (long j = n; j < k; j++) p[j] = 0;
            }
}

// d(scores) from d(probabilities), in place on d: scale·p·(d − Σ p·d).
void softmax_back(const bf16 *p, bf16 *d, float scale, long rows, long k) {
    for (long r = 0; r < rows; r++) {
        const bf16 *a = p + r * k;
        bf16 *b = d + r * k;
        float dot = 0.f;
        for (long j = 0; j < k; j++) dot += up(a[j]) * up(b[j]);
        for (long j = 0; j < k; j++) b[j] = down(scale * up(a[j]) * (up(b[j]) - dot));
    }
}

// From rows of a merged projection [B, T, parts, heads, dim] to [parts, B, heads, T, dim], turning the first two
// parts (q and k) by RoPE on adjacent pairs where cs is given: cs [B, T, dim/2, 2] holds cos and sin. back = 1 is the inverse.
void split_heads(bf16 *x, bf16 *y, const float *cs, long B, long T, long parts, long H, long D, int back) {
    for (long b = 0; b < B; b++)
        for (long t = 0; t < T; t++) {
            const float *c = cs ? cs + (b * T + t) * D : 0;
            for (long p = 0; p < parts; p++)
                for (long h = 0; h < H; h++) {
                    bf16 *a = x + (((b * T + t) * parts + p) * H + h) * D;
                    bf16 *o = y + (((p * B + b) * H + h) * T + t) * D;
                    const bf16 *from = back ? o : a;
                    bf16 *to = back ? a : o;
                    if (!c || p > 1) { memcpy(to, from, 2 * D); continue; }
                    float sign = back ? -1.f : 1.f;
                    for (long i = 0; i < D / 2; i++) {
                        float u = up(from[2 * i]), v = up(from[2 * i + 1]), co = c[2 * i], si = sign * c[2 * i + 1];
                        to[2 * i] = down(u * co - v * si);
                        to[2 * i + 1] = down(u * si + v * co);
                    }
                }
        }
}

// Norm of rows [rows, n]: mean = 1 subtracts the mean (LayerNorm, with bias b), 0 does not (RMSNorm). Saves 1/σ and the mean.
void norm(const bf16 *x, const bf16 *w, const bf16 *b, bf16 *y, float *stat, float eps, int mean, long rows, long n) {
    for (long r = 0; r < rows; r++) {
        const bf16 *a = x + r * n;
        float m = 0.f, v = 0.f;
        if (mean) { for (long i = 0; i < n; i++) m += up(a[i]); m /= n; }
        for (long i = 0; i < n; i++) { float d = up(a[i]) - m; v += d * d; }
        float inv = 1.f / sqrtf(v / n + eps);
        stat[2 * r] = m;
        stat[2 * r + 1] = inv;
        if (b) for (long i = 0; i < n; i++) y[r * n + i] = down((up(a[i]) - m) * inv * up(w[i]) + up(b[i]));
        else for (long i = 0; i < n; i++) y[r * n + i] = down((up(a[i]) - m) * inv * up(w[i]));
    }
}

void norm_back(const bf16 *x, const bf16 *w, const float *stat, const bf16 *dy, bf16 *dx, float *dw, float *db, int mean, long rows, long n) {
    for (long r = 0; r < rows; r++) {
        const bf16 *a = x + r * n, *d = dy + r * n;
        float m = stat[2 * r], inv = stat[2 * r + 1], s0 = 0.f, s1 = 0.f;
        for (long i = 0; i < n; i++) {
            float h = (up(a[i]) - m) * inv, g = up(d[i]), gw = g * up(w[i]);
            dw[i] += g * h;
            db[i] += g;
            s0 += gw;
            s1 += gw * h;
        }
        s0 = mean ? s0 / n : 0.f;
        s1 /= n;
        for (long i = 0; i < n; i++) {
            float h = (up(a[i]) - m) * inv;
            dx[r * n + i] = down(inv * (up(d[i]) * up(w[i]) - s0 - h * s1));
        }
    }
}
