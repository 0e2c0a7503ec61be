/*
 * A fuzz target is one function. Built with -fsanitize=fuzzer it is searched by libFuzzer; built
 * without, as in the test suite, FUZZ_MAIN runs it over every file of the directories that it is
 * given, so that what was once found stays mended.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Fails where there is not a single file. */
int fuzz_run_corpus(int argc, char **argv);

#ifdef FUZZ_CORPUS_MAIN
#define FUZZ_MAIN                                                                                  \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return fuzz_run_corpus(argc, argv);                                                        \
    }
#else
#define FUZZ_MAIN
#endif
