# Short names only: everything is in run.py.
.PHONY: up test seed migrate
up test seed migrate:
	@python3 run.py $@
