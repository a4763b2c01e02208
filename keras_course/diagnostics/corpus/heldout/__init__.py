"""Families that are only judged by: nobody sets a threshold on them."""
