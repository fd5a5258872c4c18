"""What the web server loads: one application for each of its processes."""

from app import create_app
from app.commands.lifeline import die_with_parent
from app.config import load

die_with_parent()
application = create_app(load())
