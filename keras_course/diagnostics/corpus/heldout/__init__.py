"""Families that are only judged by: nobody sets a threshold on them.

Each file was written and measured before any of its scripts was diagnosed, by somebody who had not read the rules. A
family whose verdicts were looked at, and led to a repair, moves to the development part.
"""
