/* Instructions of each operator of a net whose code calls esv_operator_hook. */
#include "emulator.h"

#ifdef ESV_OPERATOR_HOOK

#include "esv_net.h"

#define MAX_OPERATORS 1024

static uint64_t emulator_operator_counts[MAX_OPERATORS];
static uint64_t emulator_operator_since;
static unsigned emulator_operator = ESV_OPERATOR_NONE;

void esv_operator_hook(unsigned index)
{
    if (emulator_operator < MAX_OPERATORS) {
        emulator_operator_counts[emulator_operator] += emulator_counts() - emulator_operator_since;
    }
    emulator_operator = index;
    emulator_operator_since = emulator_counts();
}

void emulator_write_operators(void)
{
    for (unsigned index = 0; index < MAX_OPERATORS; ++index) {
        if (emulator_operator_counts[index] > 0) {
            emulator_write("operator ");
            emulator_write_decimal(index);
            emulator_write(" ");
            emulator_write_decimal(emulator_to_instructions(emulator_operator_counts[index]));
            emulator_write("\n");
        }
    }
}

#else

void emulator_write_operators(void) {}

#endif
