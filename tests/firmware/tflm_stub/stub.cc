// Runs the glue without TensorFlow Lite Micro: tensors lie in the caller's arena, inference is a call back to the test.
#include "tensorflow/lite/micro/micro_interpreter.h"

extern "C" {

typedef int (*stub_invoke)(const int8_t *input, int8_t *output);

struct stub_tensor {
    int type;
    size_t bytes;
    float scale;
    int32_t zero_point;
};

#ifndef ESV_STUB_ON_INVOKE  // a program without a test around it is compiled with values for these
#define ESV_STUB_ON_INVOKE nullptr
#define ESV_STUB_INPUT \
    {                  \
    }
#define ESV_STUB_OUTPUT \
    {                   \
    }
#else
int ESV_STUB_ON_INVOKE(const int8_t *input, int8_t *output);
#endif

// Set by the test before esv_model_init.
stub_invoke stub_on_invoke = ESV_STUB_ON_INVOKE;
uint32_t stub_version = 3;
size_t stub_arena_needed = 0;
unsigned int stub_operators = 0;  // seen by the interpreter
int stub_alive = 0;               // interpreters that were not destroyed
stub_tensor stub_input = ESV_STUB_INPUT;
stub_tensor stub_output = ESV_STUB_OUTPUT;
}

namespace tflite {

uint32_t Model::version() const { return stub_version; }

const Model *GetModel(const void *buf) { return static_cast<const Model *>(buf); }

}  // namespace tflite

ESV_STUB_OPEN

namespace {

void Place(TfLiteTensor *tensor, const stub_tensor &form, uint8_t *memory)
{
    tensor->type = static_cast<TfLiteType>(form.type);
    tensor->bytes = form.bytes;
    tensor->params.scale = form.scale;
    tensor->params.zero_point = form.zero_point;
    tensor->data.uint8 = memory;
}

}  // namespace

MicroInterpreter::MicroInterpreter(const Model *, const MicroOpResolver &op_resolver, uint8_t *tensor_arena,
                                   size_t tensor_arena_size, MicroResourceVariables *, MicroProfilerInterface *, bool)
    : resolver_(op_resolver), arena_(tensor_arena), arena_size_(tensor_arena_size), input_(), output_()
{
    ++stub_alive;
}

MicroInterpreter::~MicroInterpreter() { --stub_alive; }

TfLiteStatus MicroInterpreter::AllocateTensors()
{
    stub_operators = resolver_.size();
    if (arena_size_ < stub_arena_needed || arena_size_ < stub_input.bytes + stub_output.bytes) {
        return kTfLiteError;
    }
    Place(&input_, stub_input, arena_);
    Place(&output_, stub_output, arena_ + stub_input.bytes);
    return kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Invoke()
{
    return stub_on_invoke(input_.data.int8, output_.data.int8) == 0 ? kTfLiteOk : kTfLiteError;
}

TfLiteTensor *MicroInterpreter::input(size_t) { return &input_; }

TfLiteTensor *MicroInterpreter::output(size_t) { return &output_; }

size_t MicroInterpreter::arena_used_bytes() const { return stub_arena_needed; }

ESV_STUB_CLOSE
