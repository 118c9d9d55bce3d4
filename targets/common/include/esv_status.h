/* What a function of this library answers: 0 ok, above 0 not yet, below 0 an error. */
#ifndef ESV_STATUS_H
#define ESV_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* The one table of statuses: X(name, value, text). */
#define ESV_STATUS_TABLE(X)                                                                                   \
    X(ESV_OK, 0, "ok")                                                                                        \
    X(ESV_MORE, 1, "not yet: more samples are needed")                                                        \
    X(ESV_ERR_ARGUMENT, -1, "a pointer is null or a size is zero")                                            \
    X(ESV_ERR_MEMORY, -2, "the memory block is too small or not aligned to 16 bytes")                         \
    X(ESV_ERR_MODEL, -3, "the model has another schema version than this TensorFlow Lite Micro reads")        \
    X(ESV_ERR_OPERATOR, -4, "an operator could not be registered")                                            \
    X(ESV_ERR_ALLOCATE, -5, "the tensor arena is too small, or TensorFlow Lite Micro lacks an operator")      \
    X(ESV_ERR_SHAPE, -6, "the model's input or output is not what the package's header says")                 \
    X(ESV_ERR_INVOKE, -7, "an operator failed while the net ran")                                             \
    X(ESV_ERR_CONFIG, -8, "a setting or table of the configuration is impossible")                            \
    X(ESV_ERR_ORDER, -16, "no recording to do that with: begin, feed and finish one first")                   \
    X(ESV_ERR_SILENT, -17, "the recording is silent: check the microphone and its gain")                      \
    X(ESV_ERR_TOO_SHORT, -18, "the recording holds too little speech: say a longer sentence")                 \
    X(ESV_ERR_CLIPPED, -19, "the recording is clipped: lower the microphone's gain")                          \
    X(ESV_ERR_NAME, -20, "a name has 1 to 27 bytes, without spaces or control characters")                    \
    X(ESV_ERR_NO_PRINT, -21, "there is no voice print of that name: enroll one")                              \
    X(ESV_ERR_PRINT_DAMAGED, -22, "the voice print is damaged: enroll again")                                 \
    X(ESV_ERR_PRINT_REFUSED, -23, "the voice print was not written by this device: wipe it and enroll again") \
    X(ESV_ERR_STORE_FULL, -24, "the print store is full: wipe a print first")                                 \
    X(ESV_ERR_STORE_DAMAGED, -25, "the print store is damaged: wipe all prints and enroll again")             \
    X(ESV_ERR_STORE_MODEL, -26, "the voice prints are another model's: wipe them all, or run that model")     \
    X(ESV_ERR_NO_STORE, -27, "this board gives no flash to keep voice prints in")                             \
    X(ESV_ERR_FLASH, -28, "the flash did not keep what was written, or could not be read")                    \
    X(ESV_ERR_COMMAND, -29, "unknown command, or other arguments than it takes")                              \
    X(ESV_ERR_LINE, -30, "the line is too long, or holds bytes that no command has")                          \
    X(ESV_ERR_PCM, -31, "the samples are not whole base64 of 16-bit PCM")                                     \
    X(ESV_ERR_NO_AUDIO, -32, "this board gives no microphone")

#define ESV_STATUS_ENTRY(name, value, text) name = value,
typedef enum { ESV_STATUS_TABLE(ESV_STATUS_ENTRY) } esv_status;
#undef ESV_STATUS_ENTRY

/* Returns the status in words; never null. */
const char *esv_status_text(esv_status status);

#ifdef __cplusplus
}
#endif

#endif /* ESV_STATUS_H */
