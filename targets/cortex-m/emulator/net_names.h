/* The generated code's names: EMULATOR_NET is its prefix, EMULATOR_NET_UPPER that in capitals. */
#ifndef NET_NAMES_H
#define NET_NAMES_H

#include EMULATOR_NET_HEADER

#define EMULATOR_JOIN_(a, b) a##b
#define EMULATOR_JOIN(a, b) EMULATOR_JOIN_(a, b)

#define NET EMULATOR_NET                                           /* an esv_net */
#define NET_FUNCTION(name) EMULATOR_JOIN(EMULATOR_NET, name)       /* NET_FUNCTION(_invoke) */
#define NET_CONSTANT(name) EMULATOR_JOIN(EMULATOR_NET_UPPER, name) /* NET_CONSTANT(_STATE_BYTES) */

#endif /* NET_NAMES_H */
