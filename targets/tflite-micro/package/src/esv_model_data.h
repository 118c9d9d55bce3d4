/* The .tflite file, const so that it stays in flash. */
#ifndef ESV_MODEL_DATA_H
#define ESV_MODEL_DATA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const uint8_t esv_model_data[]; /* (esv_model_data_bytes), aligned to 16 */
extern const size_t esv_model_data_bytes;

#ifdef __cplusplus
}
#endif

#endif /* ESV_MODEL_DATA_H */
