"""JSON for everything that RQ reads and writes in this process, so that nothing from Redis is ever unpickled.

RQ falls back on pickle wherever a call names no serializer, and its dashboard is full of such calls.
"""

from rq import serializers


def close_pickle() -> None:
    """Puts JSON behind the two names that RQ's modules, its command line and its dashboard know pickle by.

    The methods are replaced and not the class, because other modules hold the class already.
    """
    for name in ("dumps", "loads"):
        setattr(serializers.DefaultSerializer, name, staticmethod(getattr(serializers.JSONSerializer, name)))
    serializers.SERIALIZER_ALIASES["pickle"] = serializers.JSONSerializer
