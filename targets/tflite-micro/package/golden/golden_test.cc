/* Runs the golden vectors on the board: the int8 outputs must be bit for bit those of the computer that built this
 * package. Prints a line per vector and returns the number of vectors that failed. Needs printf. */
#include <cmath>
#include <cstdio>
#include <cstring>

#include "esv_embedding.h"
#include "esv_model.h"
#include "golden_vectors.h"

namespace {

constexpr size_t kSegment = static_cast<size_t>(ESV_MODEL_FRAMES) * ESV_MODEL_NUM_MELS;
constexpr size_t kDim = ESV_MODEL_EMBEDDING_DIM;
constexpr float kTolerance = 1e-5f;

ESV_ALIGNED(16) uint8_t memory[ESV_MODEL_MEMORY_BYTES];

/* Counts the features that are quantized to something else than the vector's input. */
size_t WrongInputs(const golden_vector &vector, esv_tensor_grid grid)
{
    size_t wrong = 0;
    for (size_t i = 0; i < vector.num_features; ++i) {
        int8_t quantized;
        esv_tensor_quantize(&vector.features[i], 1, grid, &quantized);
        wrong += quantized != vector.input[i];
    }
    return wrong;
}

bool Check(esv_model *model, const golden_vector &vector)
{
    int8_t output[kDim];
    float embedding[kDim];
    float sum[kDim] = {};
    size_t wrong_outputs = 0;
    for (size_t segment = 0; segment < vector.num_segments; ++segment) {
        const esv_status status = esv_model_run(model, &vector.input[segment * kSegment], output);
        if (status != ESV_OK) {
            std::printf("%s: %s\n", vector.name, esv_status_text(status));
            return false;
        }
        for (size_t i = 0; i < kDim; ++i) {
            wrong_outputs += output[i] != vector.output[segment * kDim + i];
        }
        esv_tensor_dequantize(output, kDim, esv_model_output_grid(model), embedding);
        esv_embedding_normalize(embedding, kDim);
        esv_embedding_add(sum, embedding, kDim);
    }
    esv_embedding_normalize(sum, kDim);
    float largest = 0.0f;
    for (size_t i = 0; i < kDim; ++i) {
        largest = std::fmax(largest, std::fabs(sum[i] - vector.embedding[i]));
    }
    const size_t wrong_inputs = WrongInputs(vector, esv_model_input_grid(model));
    const bool good = wrong_inputs == 0 && wrong_outputs == 0 && largest <= kTolerance;
    std::printf("%s: %s, %u inputs and %u outputs differ, embedding differs by %g\n", vector.name,
                good ? "passed" : "FAILED", static_cast<unsigned>(wrong_inputs), static_cast<unsigned>(wrong_outputs),
                static_cast<double>(largest));
    return good;
}

}  // namespace

int main()
{
    esv_model *model = nullptr;
    const esv_status status = esv_model_init(&model, memory, sizeof memory);
    if (status != ESV_OK) {
        std::printf("init: %s\n", esv_status_text(status));
        return GOLDEN_NUM_VECTORS;
    }
    std::printf("arena: %u of %u bytes used\n", static_cast<unsigned>(esv_model_arena_used(model)),
                static_cast<unsigned>(ESV_MODEL_ARENA_BYTES));
    int failed = 0;
    for (const golden_vector &vector : golden_vectors) {
        failed += Check(model, vector) ? 0 : 1;
    }
    esv_model_deinit(model);
    return failed;
}
