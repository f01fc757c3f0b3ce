"""The user's tests of the routes: read from routes.test.yaml, and judged."""
