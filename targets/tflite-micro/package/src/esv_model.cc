#include "esv_model.h"

#include <cstring>
#include <new>

#include "esv_embedding.h"
#include "esv_model_data.h"
#include "esv_op_resolver.h"

namespace tflm = tflite::micro::esv;

struct esv_model {
    esv_model(const tflm::Graph *model, uint8_t *arena, size_t arena_bytes)
        : interpreter(model, resolver, arena, arena_bytes)
    {
    }

    tflm::Resolver resolver;
    tflm::Interpreter interpreter;
    int8_t *input = nullptr;  /* (ESV_MODEL_FRAMES, ESV_MODEL_NUM_MELS), in the arena */
    int8_t *output = nullptr; /* (ESV_MODEL_EMBEDDING_DIM), in the arena */
    esv_tensor_grid input_grid = {0.0f, 0};
    esv_tensor_grid output_grid = {0.0f, 0};
};

static_assert(sizeof(esv_model) <= ESV_MODEL_OBJECT_BYTES,
              "raise ESV_MODEL_OBJECT_BYTES for this TensorFlow Lite Micro");
static_assert(ESV_MODEL_OBJECT_BYTES % 16 == 0, "the arena follows the object and needs 16 bytes of alignment");

namespace {

constexpr uint32_t kSchemaVersion = 3;
constexpr size_t kInputBytes = static_cast<size_t>(ESV_MODEL_FRAMES) * ESV_MODEL_NUM_MELS;
constexpr size_t kOutputBytes = ESV_MODEL_EMBEDDING_DIM;

/* Tensor: TfLiteTensor, wherever this version of TensorFlow Lite Micro declares it. */
template <typename Tensor>
bool IsInt8(const Tensor *tensor, size_t bytes)
{
    return tensor != nullptr && tensor->type == tflm::kInt8 && tensor->bytes == bytes;
}

template <typename Tensor>
esv_tensor_grid GridOf(const Tensor *tensor)
{
    return esv_tensor_grid{tensor->params.scale, tensor->params.zero_point};
}

esv_status Prepare(esv_model *self)
{
    if (!tflm::AddOperators(&self->resolver)) {
        return ESV_ERR_OPERATOR;
    }
    if (self->interpreter.AllocateTensors() != tflm::kOk) {
        return ESV_ERR_ALLOCATE;
    }
    auto *input = self->interpreter.input(0);
    auto *output = self->interpreter.output(0);
    if (!IsInt8(input, kInputBytes) || !IsInt8(output, kOutputBytes)) {
        return ESV_ERR_SHAPE;
    }
    self->input = input->data.int8;
    self->output = output->data.int8;
    self->input_grid = GridOf(input);
    self->output_grid = GridOf(output);
    return ESV_OK;
}

esv_status Invoke(esv_model *self) { return self->interpreter.Invoke() == tflm::kOk ? ESV_OK : ESV_ERR_INVOKE; }

}  // namespace

extern "C" {

esv_status esv_model_init(esv_model **self, void *memory, size_t memory_bytes)
{
    if (self == nullptr || memory == nullptr) {
        return ESV_ERR_ARGUMENT;
    }
    *self = nullptr;
    if (memory_bytes <= ESV_MODEL_OBJECT_BYTES || reinterpret_cast<uintptr_t>(memory) % 16 != 0) {
        return ESV_ERR_MEMORY;
    }
    const tflm::Graph *model = tflm::Open(esv_model_data);
    if (model->version() != kSchemaVersion) {
        return ESV_ERR_MODEL;
    }
    uint8_t *arena = static_cast<uint8_t *>(memory) + ESV_MODEL_OBJECT_BYTES;
    esv_model *created = new (memory) esv_model(model, arena, memory_bytes - ESV_MODEL_OBJECT_BYTES);
    const esv_status status = Prepare(created);
    if (status != ESV_OK) {
        esv_model_deinit(created);
        return status;
    }
    *self = created;
    return ESV_OK;
}

void esv_model_deinit(esv_model *self)
{
    if (self != nullptr) {
        self->~esv_model();
    }
}

esv_tensor_grid esv_model_input_grid(const esv_model *self) { return self->input_grid; }

esv_tensor_grid esv_model_output_grid(const esv_model *self) { return self->output_grid; }

size_t esv_model_arena_used(const esv_model *self) { return self->interpreter.arena_used_bytes(); }

esv_status esv_model_run(esv_model *self, const int8_t *input, int8_t *output)
{
    if (self == nullptr || input == nullptr || output == nullptr) {
        return ESV_ERR_ARGUMENT;
    }
    std::memcpy(self->input, input, kInputBytes);
    const esv_status status = Invoke(self);
    if (status == ESV_OK) {
        std::memcpy(output, self->output, kOutputBytes);
    }
    return status;
}

esv_status esv_model_embed(esv_model *self, const float *features, float *embedding)
{
    if (self == nullptr || features == nullptr || embedding == nullptr) {
        return ESV_ERR_ARGUMENT;
    }
    esv_tensor_quantize(features, kInputBytes, self->input_grid, self->input);
    const esv_status status = Invoke(self);
    if (status == ESV_OK) {
        esv_tensor_dequantize(self->output, kOutputBytes, self->output_grid, embedding);
        esv_embedding_normalize(embedding, kOutputBytes);
    }
    return status;
}

}  // extern "C"
