"""The options that every module for Google Cloud has, as its documentation shows them."""

from __future__ import annotations


class ModuleDocFragment:
    """Extends the documentation of a module that names C(exotel.voicebot.gcp)."""

    DOCUMENTATION = r"""
options:
  project:
    description: ID of the Google Cloud project.
    type: str
    required: true
  auth_kind:
    description:
      - Where the credentials come from. V(application_default) are those that C(gcloud auth application-default login)
        made, the file that E(GOOGLE_APPLICATION_CREDENTIALS) names, or the service account of the VM this runs on.
    type: str
    choices: [application_default, service_account_file]
    default: application_default
  service_account_file:
    description: The JSON key of a service account. With O(auth_kind=service_account_file) only, where it is needed.
    type: path
  impersonate_service_account:
    description:
      - Email of a service account to act as. The credentials need C(roles/iam.serviceAccountTokenCreator) on it.
    type: str
  api_endpoint:
    description:
      - Address of the Compute API, C(https://HOST) or C(https://HOST:PORT); another one with Private Service Connect.
        Plain http is refused except to this machine itself.
    type: str
    default: https://compute.googleapis.com
  iam_endpoint:
    description: Address of the IAM Service Account Credentials API, used with O(impersonate_service_account) only.
    type: str
    default: https://iamcredentials.googleapis.com
  timeout:
    description:
      - How many seconds a request may take with all its repetitions, and a change until its operation is done.
    type: int
    default: 120
requirements:
  - google-cloud-compute, on the machine that runs the module; C(make venv) installs it
notes:
  - Runs where Google's API and its credentials are, which is the controller. Delegate it to C(localhost) with
    C(ansible_connection=local) and the Python that runs C(ansible-playbook).
  - A request that meets an overload (429, 502, 503, 504) or a broken connection is made again. It carries a request ID, so that a
    change is made once however often it is sent.
"""
