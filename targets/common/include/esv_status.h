/* What a function of this library answers: 0 ok, above 0 not yet, below 0 an error. */
#ifndef ESV_STATUS_H
#define ESV_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* The one table of statuses: X(name, value, text). */
#define ESV_STATUS_TABLE(X)                                                                              \
    X(ESV_OK, 0, "ok")                                                                                   \
    X(ESV_MORE, 1, "not yet: more samples are needed")                                                   \
    X(ESV_ERR_ARGUMENT, -1, "a pointer is null or a size is zero")                                       \
    X(ESV_ERR_MEMORY, -2, "the memory block is too small or not aligned to 16 bytes")                    \
    X(ESV_ERR_MODEL, -3, "the model has another schema version than this TensorFlow Lite Micro reads")   \
    X(ESV_ERR_OPERATOR, -4, "an operator could not be registered")                                       \
    X(ESV_ERR_ALLOCATE, -5, "the tensor arena is too small, or TensorFlow Lite Micro lacks an operator") \
    X(ESV_ERR_SHAPE, -6, "the model's input or output is not what the package's header says")            \
    X(ESV_ERR_INVOKE, -7, "an operator failed while the net ran")                                        \
    X(ESV_ERR_CONFIG, -8, "a setting or table of the configuration is impossible")

#define ESV_STATUS_ENTRY(name, value, text) name = value,
typedef enum { ESV_STATUS_TABLE(ESV_STATUS_ENTRY) } esv_status;
#undef ESV_STATUS_ENTRY

/* Returns the status in words; never null. */
const char *esv_status_text(esv_status status);

#ifdef __cplusplus
}
#endif

#endif /* ESV_STATUS_H */
