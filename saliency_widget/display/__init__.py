"""From a signed attribution to a picture, in numpy and matplotlib only.

The same definitions stand once more in TypeScript (``js/src/map``); golden files hold the two together.
"""
