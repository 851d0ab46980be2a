"""The demo city 桥州: four departments whose systems do not talk to each other, filled by one seeded generator.

Pure: :mod:`draws`, :mod:`words`, :mod:`codes`, :mod:`rosters` (who is in which dataset, with which fault, on which
day), :mod:`generator` (enterprises), :mod:`rows` (what each department writes about them). Everything is a function
of (seed, scale, number, day), so each department makes its own records without asking another.

With I/O: :mod:`market` (SQL database), :mod:`tax` (REST), :mod:`licensing` (SFTP), :mod:`credit` (NDJSON over HTTP).

The city does not exist: 桥州 is in every name. Its districts bear real GB/T 2260 codes, so that code lists can be
checked; its organisation codes begin with Q, which no registrar gives out.
"""
