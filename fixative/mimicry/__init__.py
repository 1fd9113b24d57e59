"""The mimicry test: LoRAs on clean, protected and purified pictures, and how well they imitate."""
