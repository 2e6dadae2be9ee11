"""The builds of the dashboard without their widgets: what is asked for, what is told of it, the drawing of the stages.

Runs in the dashboard's process; the page of the builds and the form use it.
"""
