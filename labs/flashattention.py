"""FlashAttention, measured: exact attention with materialised scores, tiled in our own Triton kernel, and in libraries.

The forward pass O = softmax(Q Kᵀ / √d) V for lengths 512 to 32768, head dimensions 64 and 128, with and without a causal
mask, in bfloat16. As in FlashAttention-2 (Dao, 2023, arXiv:2307.08691, section 4.1) the number of tokens and the width
are the same at every length, so that only the length changes: batch = tokens / n, heads = width / d.

    python labs/flashattention.py                        on one GPU, under 8 minutes
    python labs/flashattention.py --device cpu --small   the same tiling in plain PyTorch, in seconds

Results, besides the keys that common.py describes (a *figure* is {median, low, high, repeats}):

    setup      {tokens, width, dtype}
    ceilings   {matmul_tflops: figure, copy_gb_per_s: figure}: a large bfloat16 matrix product (8192 cubed), and a
               device-to-device copy of 4 GiB, bytes read plus bytes written
    tuned      rows {d, causal, block_m, block_n, warps, stages}: the tile sizes that our kernel's autotuner chose
    speed      rows {impl, n, d, causal, batch, heads, ms: figure, tflops: figure, peak_mib, extra_mib, failed}
    memory     rows as in speed, for one batch, 16 heads, d = 128, not causal, n up to 131072
    limit      {impl: "naive", d, causal, batch, heads, fits, fails}: the longest n (multiple of 1024) at which naive
               attention fits into the device's memory at that batch, and the next one, at which it does not
    errors     rows {impl, dtype, inputs, n, d, causal, batch, heads, max, rms}: against attention in float64 on the same
               rounded inputs
    summary    {n, d, causal, triton_over_flash, triton_over_cudnn, naive_over_flash}: ratios of TFLOP/s at n = 8192

impl       naive: scores materialised, PyTorch. triton: the kernel below. flash, cudnn: scaled_dot_product_attention with
           that backend forced. tiled: the kernel's algorithm in plain PyTorch (small runs only). rounded (errors only):
           the float64 result rounded once to the dtype, the least error that any implementation can have
tflops     4 n² d heads batch operations (two matrix products), halved if causal, over the time: FlashAttention-2's count
peak_mib   device memory at the worst moment of one call; extra_mib: without what was there before, q, k, v (and naive
           attention's causal mask). The output counts as extra
failed     null, "out of memory", or why the backend refused; then ms, tflops, peak_mib and extra_mib are null
inputs     normal: q, k, v ~ N(0, 1). outliers: q, k, v ~ N(0, 1) + N(0, 100) · Bernoulli(0.001), as in FlashAttention-3
           (Shah et al., 2024, arXiv:2407.08608, section 4.3)
dtype      errors: bfloat16 and float16; everything else is bfloat16
"""
