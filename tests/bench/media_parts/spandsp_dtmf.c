/* libspandsp's DTMF detector as a program: FILE CHANNELS TICKS; the file holds int16 [ticks, channels, 80]. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <spandsp.h>

int main(int count, char **arguments) {
    int channels = atoi(arguments[2]), ticks = atoi(arguments[3]), heard = 0;
    FILE *file = fopen(arguments[1], "rb");
    int16_t *audio = malloc(sizeof *audio * channels * 80);
    dtmf_rx_state_t **states = malloc(sizeof *states * channels);
    for (int channel = 0; channel < channels; channel++) states[channel] = dtmf_rx_init(NULL, NULL, NULL);
    for (int tick = 0; tick < ticks; tick++) {
        if (fread(audio, sizeof *audio, channels * 80, file) != (size_t)channels * 80) return 1;
        for (int channel = 0; channel < channels; channel++) dtmf_rx(states[channel], audio + channel * 80, 80);
    }
    for (int channel = 0; channel < channels; channel++) {
        char digits[256];
        heard += dtmf_rx_get(states[channel], digits, 255);
    }
    printf("%d\n", heard);
    return 0;
}
