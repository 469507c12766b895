"""The vocabulary every room shares: refusals, access, parsing, paging, time, ids."""
