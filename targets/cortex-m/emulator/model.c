/* Runs a net of any kind on vectors from files. Words: the number of vectors, then for each input `<FILE BYTES` and for
 * each output `>FILE BYTES`. A file holds its tensor of all vectors, one after the other. */
#include "emulator.h"

#include "net_names.h"

#define MAX_PORTS 14

extern uint8_t device_memory[]; /* the net's arena */

typedef struct {
    int handle;
    size_t bytes; /* of one vector */
} emulator_port;

static size_t emulator_number(const char *digits)
{
    size_t value = 0;
    for (; *digits >= '0' && *digits <= '9'; ++digits) {
        value = value * 10u + (size_t)(*digits - '0');
    }
    return value;
}

/* Reads the words that begin with a direction; returns how many there are. */
static int emulator_open_ports(int argc, char *argv[], char direction, emulator_port ports[])
{
    int count = 0;
    for (int i = 2; i + 1 < argc; i += 2) {
        if (argv[i][0] == direction) {
            const char *const path = &argv[i][1];
            ports[count].handle = direction == '<' ? emulator_open_read(path) : emulator_open_write(path);
            ports[count].bytes = emulator_number(argv[i + 1]);
            ++count;
        }
    }
    return count;
}

int main(int argc, char *argv[])
{
    emulator_port inputs[MAX_PORTS];
    emulator_port outputs[MAX_PORTS];
    uint64_t counts = 0;
    if (argc < 2 || argc > 2 * MAX_PORTS) {
        return 2;
    }
    const int num_inputs = emulator_open_ports(argc, argv, '<', inputs);
    const int num_outputs = emulator_open_ports(argc, argv, '>', outputs);
    emulator_stack_paint();
    for (size_t vector = emulator_number(argv[1]); vector > 0; --vector) {
        for (int i = 0; i < num_inputs; ++i) {
            (void)emulator_read(inputs[i].handle, NET_FUNCTION(_input)(device_memory, i), inputs[i].bytes);
        }
        const uint64_t before = emulator_counts();
        NET_FUNCTION(_invoke)(device_memory);
        counts += emulator_counts() - before;
        for (int i = 0; i < num_outputs; ++i) {
            (void)emulator_write_bytes(outputs[i].handle, NET_FUNCTION(_output)(device_memory, i), outputs[i].bytes);
        }
    }
    emulator_write("inference ");
    emulator_write_decimal(emulator_to_instructions(counts));
    emulator_write("\n");
    emulator_write_operators();
    return 0;
}
