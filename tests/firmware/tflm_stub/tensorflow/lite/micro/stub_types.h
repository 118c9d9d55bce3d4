// Types of tensorflow/lite/c/common.h and schema_generated.h, as far as the glue uses them.
#ifndef ESV_STUB_TYPES_H_
#define ESV_STUB_TYPES_H_

#include <cstddef>
#include <cstdint>

#ifndef ESV_STUB_LAYOUT
#define ESV_STUB_LAYOUT 2021
#endif

#if ESV_STUB_LAYOUT >= 2026
#define ESV_STUB_OPEN  \
    namespace tflite { \
    namespace micro {
#define ESV_STUB_CLOSE \
    }                  \
    }
#define ESV_STUB_TYPES_OPEN \
    namespace tflite {      \
    namespace micro {
#define ESV_STUB_TYPES_CLOSE \
    }                        \
    }
// LiteRT's own header may be around as well, with other types of the same names.
typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;
typedef enum { kTfLiteInt8 = 9 } TfLiteType;
#else
#define ESV_STUB_OPEN namespace tflite {
#define ESV_STUB_CLOSE }
#define ESV_STUB_TYPES_OPEN
#define ESV_STUB_TYPES_CLOSE
#endif

ESV_STUB_TYPES_OPEN

typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;
typedef enum { kTfLiteNoType = 0, kTfLiteFloat32 = 1, kTfLiteInt8 = 9 } TfLiteType;

typedef struct TfLiteIntArray {
    int size;
    int data[8];
} TfLiteIntArray;

typedef struct TfLiteQuantizationParams {
    float scale;
    int32_t zero_point;
} TfLiteQuantizationParams;

typedef union TfLitePtrUnion {
    float *f;
    uint8_t *uint8;
    int8_t *int8;
    void *data;
} TfLitePtrUnion;

typedef struct TfLiteTensor {
    TfLiteType type;
    TfLitePtrUnion data;
    TfLiteIntArray *dims;
    TfLiteQuantizationParams params;
    size_t bytes;
} TfLiteTensor;

ESV_STUB_TYPES_CLOSE

namespace tflite {

struct Model {
    uint32_t version() const;
};
const Model *GetModel(const void *buf);

}  // namespace tflite

#endif  // ESV_STUB_TYPES_H_
