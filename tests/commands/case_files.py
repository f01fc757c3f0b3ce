"""Routes, and the beginning of a case about them."""

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${SECRET}", ignore: [session.*]}
destinations:
  crm: {type: http, url: "${CRM_WEBHOOK_URL}"}
  team: {type: slack, webhook_url: "${SLACK_WEBHOOK_URL}"}
  mail: {type: email, smtp_url: "${SMTP_URL}", from: "${EMAIL_FROM}", to: team@example.com}
  log: {type: console}
routes:
"""
USER = """\
  - name: new
    events: user.created
    send:
      - {to: team, text: "*{{ data.first_name }}* signed up"}
      - to: mail
        subject: "Hi {{ data.first_name }}"
        recipient: "{{ data | primary_email }}"
        text: "a\\nb"
        html: "<p>Dear <b>{{ data.first_name }}</b></p>"
      - {to: crm, json: {id: "{{ data.id }}", tags: [a, {n: 1}]}}
"""
CASE = "- name: one\n  event: user.created\n  set: {data.first_name: Ada & Bob}\n  expect:\n"
REST = "    - team\n    - mail\n    - crm\n"
