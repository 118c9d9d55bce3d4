/* From reset to main, and what happens on a fault. Any Cortex-M from M0 to M55. */
#include <string.h>

#include "emulator.h"

#define SCB_CCR (*(volatile uint32_t *)0xE000ED14u)
#define SCB_CFSR (*(volatile uint32_t *)0xE000ED28u)
#define SCB_CPACR (*(volatile uint32_t *)0xE000ED88u)
#define CCR_TRAP_UNALIGNED (1u << 3)
#define CPACR_FPU_AND_MVE (0xFu << 20) /* full access to coprocessors 10 and 11 */
#define MAX_ARGUMENTS 64

extern uint8_t emulator_data_start[], emulator_data_end[], emulator_data_load[];
extern uint8_t emulator_bss_start[], emulator_bss_end[];
extern uint8_t emulator_main_data_start[], emulator_main_data_end[], emulator_main_data_load[];
extern uint8_t emulator_main_bss_start[], emulator_main_bss_end[];
extern uint32_t emulator_stack_top[];

void emulator_reset(void) __attribute__((noreturn));
void emulator_fault(void) __attribute__((noreturn));
void emulator_tick(void);

static char emulator_line[1024];

typedef void (*emulator_handler)(void);

extern const uint8_t emulator_constructors_start[], emulator_constructors_end[];

typedef struct {
    const uint32_t *stack;
    emulator_handler handlers[15];
} emulator_vectors;

const emulator_vectors emulator_table __attribute__((used, section(".vectors"))) = {
    emulator_stack_top,
    {emulator_reset, emulator_fault /* NMI */, emulator_fault /* hard */, emulator_fault /* memory */,
     emulator_fault /* bus */, emulator_fault /* usage */, emulator_fault /* secure */, 0, 0, 0, emulator_fault, 0, 0,
     emulator_fault, emulator_tick}};

static void emulator_write_hex(uint32_t value)
{
    char text[11] = "0x00000000";
    for (size_t i = 9; value > 0; --i, value >>= 4) {
        text[i] = "0123456789abcdef"[value & 15u];
    }
    emulator_write(text);
}

void emulator_fault(void)
{
    emulator_write("emulator: fault, CFSR ");
    emulator_write_hex(SCB_CFSR);
    emulator_write("\n");
    emulator_exit(EMULATOR_FAULT);
}

/* The linker's symbols are places, not objects: only as integers may they be subtracted. */
static size_t emulator_between(const uint8_t *start, const uint8_t *end) { return (uintptr_t)end - (uintptr_t)start; }

static void emulator_enable_units(void)
{
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    SCB_CPACR |= CPACR_FPU_AND_MVE;
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
#if defined(__ARM_ARCH_6M__)
    SCB_CCR |= CCR_TRAP_UNALIGNED; /* as the M0 and M0+ do, also where a larger core emulates them */
#endif
}

/* Initial values and zeros: the package's, then those of the program around it. */
static void emulator_prepare_memory(void)
{
    memcpy(emulator_data_start, emulator_data_load, emulator_between(emulator_data_start, emulator_data_end));
    memset(emulator_bss_start, 0, emulator_between(emulator_bss_start, emulator_bss_end));
    memcpy(emulator_main_data_start, emulator_main_data_load,
           emulator_between(emulator_main_data_start, emulator_main_data_end));
    memset(emulator_main_bss_start, 0, emulator_between(emulator_main_bss_start, emulator_main_bss_end));
}

/* Of a program with C++ in it. */
static void emulator_construct(void)
{
    const emulator_handler *const each = (const emulator_handler *)(uintptr_t)emulator_constructors_start;
    const size_t bytes = emulator_between(emulator_constructors_start, emulator_constructors_end);
    for (size_t i = 0; i < bytes / sizeof *each; ++i) {
        each[i]();
    }
}

void emulator_reset(void)
{
    char *words[MAX_ARGUMENTS];
    emulator_enable_units();
    emulator_prepare_memory();
    emulator_construct();
    const int count = emulator_arguments(emulator_line, sizeof emulator_line, words, MAX_ARGUMENTS);
    emulator_stack_paint();
    emulator_clock_start();
    const int code = main(count, words);
    const uint64_t instructions = emulator_instructions();
    emulator_write("\nemulator: instructions ");
    emulator_write_decimal(instructions);
    emulator_write("\nemulator: stack ");
    emulator_write_decimal(emulator_stack_used());
    emulator_write("\n");
    emulator_exit(code);
}
