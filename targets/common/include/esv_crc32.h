/* CRC-32 of IEEE 802.3, as in zlib and edge_sv's voice prints: notices damage, not forgery. */
#ifndef ESV_CRC32_H
#define ESV_CRC32_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* bytes: (count). The same value as Python's zlib.crc32. */
uint32_t esv_crc32(const void *bytes, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* ESV_CRC32_H */
