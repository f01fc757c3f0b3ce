"""The user's tests of the routes: read from routes.test.yaml, judged by the messages that would go out."""
