// Stand-in for the header of the same name; see README.md.
#ifndef ESV_STUB_MICRO_INTERPRETER_H_
#define ESV_STUB_MICRO_INTERPRETER_H_

#include "tensorflow/lite/micro/stub_types.h"

ESV_STUB_OPEN

class MicroProfilerInterface;
class MicroResourceVariables;

class MicroOpResolver {
  public:
    virtual ~MicroOpResolver() {}
    virtual unsigned int size() const = 0;
};

class MicroInterpreter {
  public:
    MicroInterpreter(const Model *model, const MicroOpResolver &op_resolver, uint8_t *tensor_arena,
                     size_t tensor_arena_size, MicroResourceVariables *resource_variables = nullptr,
                     MicroProfilerInterface *profiler = nullptr, bool preserve_all_tensors = false);
    ~MicroInterpreter();

    TfLiteStatus AllocateTensors();
    TfLiteStatus Invoke();
    TfLiteTensor *input(size_t index);
    TfLiteTensor *output(size_t index);
    size_t arena_used_bytes() const;

  private:
    const MicroOpResolver &resolver_;
    uint8_t *arena_;
    size_t arena_size_;
    TfLiteTensor input_;
    TfLiteTensor output_;
};

ESV_STUB_CLOSE

#endif  // ESV_STUB_MICRO_INTERPRETER_H_
