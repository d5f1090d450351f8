"""Finite systems behind claims about spectra of representations.

codes      Gaussian responses of many units to many stimuli, shown twice
functions  random networks and random fields on spheres and tori, and their spectra
digits     networks that learn digits under a penalty on their spectrum
"""
