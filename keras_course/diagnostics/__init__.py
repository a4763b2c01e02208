"""Why a network does not train: what is measured, what it means, and what to do about it."""
