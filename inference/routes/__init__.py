"""Every route of the edge, by who may ask."""

from inference.route import Access, Route
from inference.routes import contributions, health, operations, repository, styles, stylize

ROUTES: tuple[Route, ...] = (
    *health.ROUTES,
    *styles.ROUTES,
    *stylize.ROUTES,
    *contributions.ROUTES,
    *operations.ROUTES,
    *repository.ROUTES,
)
CLIENT_ROUTES = tuple(route for route in ROUTES if route.access is not Access.ADMIN)
ADMIN_ROUTES = tuple(route for route in ROUTES if route.access is not Access.CLIENT)
"""Of the admin listener: its own, and those that are open."""
