"""A third-party fuzzer over the whole document: no 5xx, and every answer is one that the document promises.

This is the short run, of which CI takes twice as much; the long one is in CONTRIBUTING.md.
"""

import pytest
import schemathesis
from effort import IN_CI
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from people import Person
from schemathesis.checks import negative_data_rejection, positive_data_acceptance
from schemathesis.generation import GenerationMode

ENDS_THE_TOKEN = "/api/v1/user/sign-out"
FAILS_ON_PURPOSE = "/api/v1/fail"
FORM = "multipart/form-data"
EXAMPLES = 6 if IN_CI else 3  # of each operation and kind
NOT_READY_HERE = "/readyz"  # no relay or worker runs beside this test


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # the stricter one
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_as_documented(app: Flask, mode: GenerationMode) -> None:
    token = Person.sign_up(app.test_client(), "fuzz@example.com").token
    document = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    for result in document.exclude(path=[ENDS_THE_TOKEN, FAILS_ON_PURPOSE, NOT_READY_HERE]).get_all_operations():
        operation = result.ok()

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def is_as_documented(case: schemathesis.Case) -> None:
            # A valid body may still name what is not there, or come with a stale ETag: refusing it is right.
            excluded = [positive_data_acceptance]
            if case.media_type == FORM:  # what is no form it sends as bare bytes, and a file may be any bytes
                excluded.append(negative_data_rejection)
            case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, excluded_checks=excluded)

        try:
            is_as_documented()
        except Unsatisfiable:
            assert mode == GenerationMode.NEGATIVE  # where nothing is taken, nothing can be wrong with it
