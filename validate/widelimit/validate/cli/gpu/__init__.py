"""A GPU in one command: ``make gpu OUT=DIR`` runs ``.ci/gpu``, which runs this package, within eight minutes.

session     what is done in which order, within the time; DIR/gpu.json after every step, DIR/gpu.md at the end
comparing   samples of every claim's simulation on two devices, from the same draws and from their own
draws       the same random numbers on every device, so that samples differ by rounding alone
timing      bare matrix products on both devices
deep        claims of the deep preset, sized by a time budget

`__main__` has the options. Nothing here needs a GPU to be tested: any two devices can be compared, the CPU with itself
too.
"""
