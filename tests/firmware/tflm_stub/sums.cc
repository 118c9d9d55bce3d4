// A net that a test can compute: output[i] is the sum of input[i], input[i + STUB_DIM], ..., modulo 2^8.
#include <cstddef>
#include <cstdint>

extern "C" int stub_sums(const int8_t *input, int8_t *output);

namespace {

// Has a constructor, as static objects of TensorFlow Lite Micro may: without it nothing is summed.
struct Net {
    Net() : segment(STUB_SEGMENT) {}
    volatile size_t segment;
};

Net net;

}  // namespace

extern "C" int stub_sums(const int8_t *input, int8_t *output)
{
    const size_t segment = net.segment;
    uint8_t sums[STUB_DIM] = {};
    for (size_t i = 0; i < segment; ++i) {
        sums[i % STUB_DIM] = static_cast<uint8_t>(sums[i % STUB_DIM] + static_cast<uint8_t>(input[i]));
    }
    for (size_t i = 0; i < STUB_DIM; ++i) {
        output[i] = static_cast<int8_t>(sums[i]);
    }
    return segment == 0 ? 1 : 0;
}
