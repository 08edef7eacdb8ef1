"""Profiles of the AWS files: keys, roles and single sign-on, against servers that check who asks."""

from __future__ import annotations

import builtins
import importlib.util
import json
import os
import urllib.request
import uuid

import boto3
import pytest

from rave_backends.object_store import aws_profiles, config
from rave_backends.object_store.aws_profiles import AWSProfile, CredentialsError, ProfileCredentials
from rave_backends.object_store.bucket import Bucket
from rave_backends.object_store.config import S3Config
from rave_backends.plugin import open_object_store
from rave_core.backend import StoreURL
from rave_core.errors import BackendError, ConfigurationError
from rave_core.testing.capability_contracts import key_of

KEYS = "aws_access_key_id=AKRAVE\naws_secret_access_key=SKRAVE\n"
WRONG = "aws_access_key_id=WRONG\naws_secret_access_key=WRONG\n"
ROLE = "arn:aws:iam::123456789012:role/reader"
S3_ALLOWED = {"Effect": "Allow", "Action": ["s3:*"], "Resource": "*"}


def opened(url):
    """The backend at a URL."""
    return open_object_store(StoreURL(url))


@pytest.fixture
def no_keys(aws):
    """An environment that holds no credentials."""
    aws.delenv("AWS_ACCESS_KEY_ID")
    aws.delenv("AWS_SECRET_ACCESS_KEY")
    return aws


@pytest.fixture
def files(aws, tmp_path):
    """Writes the two files of AWS, which the environment names."""

    def write(credentials="", config=""):
        for variable, text in (("AWS_SHARED_CREDENTIALS_FILE", credentials), ("AWS_CONFIG_FILE", config)):
            path = tmp_path / variable
            path.write_text(text)
            aws.setenv(variable, str(path))

    return write


@pytest.fixture
def url(rclone, aws):
    """The URL of an empty cache in rclone, which knows one pair of keys and refuses others."""
    endpoint, bucket = rclone
    return f"s3://{bucket}/{uuid.uuid4().hex}?endpoint={endpoint}"


@pytest.fixture
def no_boto3(monkeypatch):
    """An environment in which boto3 is not installed."""
    find, load = importlib.util.find_spec, builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] in ("boto3", "botocore"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return load(name, *args, **kwargs)

    for module in (aws_profiles, config):
        monkeypatch.setattr(module, "find_spec", lambda name: None if name == "boto3" else find(name))
    monkeypatch.setattr(builtins, "__import__", without)


@pytest.fixture(scope="module")
def strict(make_moto):
    """The endpoint of a moto that checks rights, and the keys of a user who may only assume the role."""
    with make_moto() as endpoint, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        given = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
        iam, s3 = (boto3.client(each, endpoint_url=endpoint, **given) for each in ("iam", "s3"))
        s3.create_bucket(Bucket="results")
        assuming = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
        iam.create_role(RoleName="reader", AssumeRolePolicyDocument=_policy({**assuming, "Principal": {"AWS": "*"}}))
        iam.put_role_policy(RoleName="reader", PolicyName="all", PolicyDocument=_policy(S3_ALLOWED))
        iam.create_user(UserName="me")
        iam.put_user_policy(UserName="me", PolicyName="assume", PolicyDocument=_policy(assuming))
        keys = iam.create_access_key(UserName="me")["AccessKey"]
        _post(f"{endpoint}/moto-api/reset-auth", b"0")
        yield (
            endpoint,
            f"aws_access_key_id={keys['AccessKeyId']}\naws_secret_access_key={keys['SecretAccessKey']}\n",
        )


class TestKeys:
    """Keys that stand in a file."""

    def test_a_profile_gives_keys_endpoint_and_region(self, url, rclone, aws, files):
        """The keys from one file, the rest from the other."""
        files(f"[team]\n{KEYS}", f"[profile team]\nregion=eu-central-1\nendpoint_url={rclone[0]}\n")
        aws.delenv("AWS_ACCESS_KEY_ID")
        backend = opened(f"{url.partition('?')[0]}?profile=team")
        backend.put(key_of("a"), [b"x"])
        assert bytes(backend.get(key_of("a"))) == b"x"
        found = S3Config("bucket", profile="team")
        assert (found.endpoint, found._region) == (rclone[0], "eu-central-1")

    def test_the_endpoint_of_a_section_of_services_counts(self, files):
        """As the AWS command line has it: for S3 alone."""
        files(
            f"[team]\n{KEYS}", "[profile team]\nservices=own\n[services own]\ns3 =\n  endpoint_url=http://store:9000\n"
        )
        assert S3Config("bucket", profile="team").endpoint == "http://store:9000"

    def test_a_named_profile_is_stronger_than_the_environment(self, url, files):
        """And the environment stronger than the default one."""
        files(f"[default]\n{WRONG}[other]\n{WRONG}")
        opened(url).put(key_of("a"), [b"x"])
        assert "does not know the access key" in opened(f"{url}&profile=other").check()

    @pytest.mark.parametrize("name", ["default", "team"])
    def test_without_keys_in_the_environment_a_profile_is_used(self, name, url, files, no_keys):
        """The one that ``AWS_PROFILE`` names, or the default one."""
        files(f"[{name}]\n{KEYS}")
        if name != "default":
            no_keys.setenv("AWS_PROFILE", name)
        opened(url).put(key_of("a"), [b"x"])

    @pytest.mark.parametrize("text", ["", "[default]\nregion=eu-central-1\n", "no section\n"])
    def test_a_default_profile_without_credentials_is_not_used(self, text, files, no_keys):
        """The client then looks for the role of the host."""
        files(config=text)
        assert S3Config("bucket")._profile is None

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[team]\nregion=eu-central-1\n", "role_arn with source_profile"),
            ("[taem]\n", "did you mean 'taem'?"),
            ("aws_secret_access_key=hidden\n", "can't be read"),
            (f"[team]\nrole_arn={ROLE}\nsource_profile=me\n[me]\n{KEYS}mfa_serial=arn:x\n", "'me' has mfa_serial"),
        ],
    )
    def test_a_profile_that_cannot_work_is_refused(self, text, said, files):
        """At once, with what would be right, and no line of the file."""
        files(text)
        with pytest.raises(ConfigurationError) as caught:
            opened("s3://bucket?profile=team")
        assert said in str(caught.value)
        assert "hidden" not in str(caught.value)

    def test_keys_that_somebody_renewed_in_the_file_are_used(self, files):
        """They are read each time that the client asks."""
        files(f"[team]\n{WRONG}")
        credentials = AWSProfile("team").credentials(5)
        assert credentials()["access_key_id"] == "WRONG"
        files(f"[team]\n{KEYS}")
        assert credentials()["access_key_id"] == "AKRAVE"

    def test_a_process_gives_credentials(self, files, tmp_path):
        """``credential_process``, as for keys that a vault keeps."""
        answer = {"Version": 1, "AccessKeyId": "AKVAULT", "SecretAccessKey": "s", "SessionToken": "t"}
        (tmp_path / "answer").write_text(json.dumps(answer))
        files(config=f"[profile team]\ncredential_process=cat {tmp_path}/answer\n")
        found = AWSProfile("team").credentials(5)()
        assert (found["access_key_id"], found["token"]) == ("AKVAULT", "t")

    def test_half_a_pair_of_keys_is_told(self, files, url):
        """The message names the profile and what is missing, by the call that needs it."""
        files("[team]\naws_access_key_id=AKRAVE\n")
        trouble = opened(f"{url}&profile=team").check()
        assert "'team'" in trouble
        assert "aws_secret_access_key" in trouble


class TestRoles:
    """Roles, against an STS and an S3 that check who asks."""

    @pytest.fixture
    def team(self, strict, files, no_keys):
        """The URL of a cache that the role of the profile `team` may use, and the user `me` may not."""
        endpoint, keys = strict
        role = f"[profile team]\nrole_arn={ROLE}\nsource_profile=me\nduration_seconds=900\nendpoint_url={endpoint}\n"
        files(f"[me]\n{keys}", f"{role}[profile me]\nendpoint_url={endpoint}\n")
        return f"s3://results/{uuid.uuid4().hex}?region=us-east-1"

    def test_a_role_is_assumed(self, team):
        """What its source profile may not do, the role may."""
        backend = opened(f"{team}&profile=team")
        backend.put(key_of("a"), [b"x"])
        assert bytes(backend.get(key_of("a"))) == b"x"
        with pytest.raises(BackendError, match="access is denied"):
            opened(f"{team}&profile=me").put(key_of("a"), [b"x"])

    def test_a_role_may_be_that_of_the_environment_s_profile(self, team, no_keys):
        """``AWS_PROFILE`` names it."""
        no_keys.setenv("AWS_PROFILE", "team")
        opened(team).put(key_of("a"), [b"x"])

    def test_credentials_are_renewed_before_they_expire(self, team):
        """Those of a session of a quarter of an hour are renewed whenever the client asks again."""
        credentials = AWSProfile("team").credentials(5)
        first, second = credentials(), credentials()
        assert first["access_key_id"].startswith("ASIA")
        assert first["token"]
        assert first["access_key_id"] != second["access_key_id"]

    @pytest.mark.parametrize(("minutes", "asked"), [(4, 3), (9, 1)])
    def test_the_client_asks_again_when_its_credentials_near_their_end(self, minutes, asked, team, monkeypatch):
        """Five minutes before; until then it asks nobody."""
        times = []
        ask = ProfileCredentials.__call__

        def counted(self):
            times.append(1)
            return ask(self)

        monkeypatch.setattr(ProfileCredentials, "__call__", counted)
        monkeypatch.setattr(aws_profiles, "_GOOD_FOR", aws_profiles.timedelta(minutes=minutes))
        bucket = Bucket(S3Config("results", profile="team", region="us-east-1"), timeout=15)
        for name in "abc":
            assert bucket.get(name) is None
            aws_profiles.threading.Event().wait(0.12)  # the client takes what it got a moment ago
        assert len(times) == asked

    def test_a_role_that_may_not_be_assumed_is_told(self, team, files, strict):
        """By the call that needs it, with what STS says."""
        endpoint = strict[0]
        files(f"[me]\n{WRONG}", f"[profile team]\nrole_arn={ROLE}\nsource_profile=me\nendpoint_url={endpoint}\n")
        trouble = opened(f"{team}&profile=team").check()
        assert "the AWS profile 'team' gives no credentials" in trouble
        assert "AssumeRole" in trouble

    def test_a_role_without_a_source_is_told(self, team, files):
        """The message names the profile and what is missing."""
        files(config=f"[profile team]\nrole_arn={ROLE}\n")
        assert "source_profile" in opened(f"{team}&profile=team").check()

    def test_a_silent_sts_takes_no_longer_than_the_timeout(self, team, files, silent):
        """Nobody answers; the call ends nevertheless."""
        files(f"[me]\n{KEYS}", f"[profile team]\nrole_arn={ROLE}\nsource_profile=me\nendpoint_url={silent}\n")
        with pytest.raises(CredentialsError, match="'team' gives no credentials"):
            AWSProfile("team").credentials(0.2)()


class TestSingleSignOn:
    """Profiles of IAM Identity Center."""

    SESSION = "[sso-session own]\nsso_start_url=https://own.awsapps.com/start\nsso_region=eu-central-1\n"
    ACCOUNT = "sso_account_id=123456789012\nsso_role_name=reader\n"
    LEGACY = f"sso_start_url=https://own.awsapps.com/start\nsso_region=eu-central-1\n{ACCOUNT}"

    @pytest.mark.parametrize(
        ("text", "signing_on"),
        [
            (f"[profile team]\nsso_session=own\n{ACCOUNT}{SESSION}", "team"),
            (f"[profile team]\n{LEGACY}", "team"),
            (f"[profile team]\nrole_arn={ROLE}\nsource_profile=me\n[profile me]\n{LEGACY}", "me"),
        ],
    )
    def test_without_a_session_it_is_said_how_to_sign_on(self, text, signing_on, url, files):
        """With the profile that signs on, which may be the source of a role."""
        files(config=text)
        backend = opened(f"{url}&profile=team")
        said = f"nobody is signed on for the AWS profile 'team': run 'aws sso login --profile {signing_on}'"
        assert said in backend.check()
        with pytest.raises(BackendError, match=said):
            backend.get(key_of("a"))


class TestWithoutBoto3:
    """Profiles need boto3; nothing else does."""

    def test_a_profile_is_refused_with_what_to_install(self, files, no_boto3):
        """Whether the URL names it or the environment."""
        files(f"[team]\n{KEYS}")
        with pytest.raises(ConfigurationError, match=r"pip install 'rave-framework\[s3\]'"):
            opened("s3://bucket?profile=team")

    def test_the_environment_s_profile_is_refused_likewise(self, no_keys, no_boto3):
        """It is not passed over."""
        no_keys.setenv("AWS_PROFILE", "team")
        with pytest.raises(ConfigurationError, match="the AWS profile 'team' can't be used"):
            opened("s3://bucket")

    def test_keys_in_the_environment_need_none(self, url, no_boto3):
        """The client reads them itself."""
        opened(url).put(key_of("a"), [b"x"])

    def test_no_credentials_are_told_with_what_profiles_need(self, url, files, no_keys, no_boto3, silent):
        """A default profile that is passed over shows in the message."""
        files(f"[default]\n{KEYS}")
        no_keys.setenv("AWS_METADATA_ENDPOINT", silent)
        trouble = opened(f"{url}&timeout=0.6").check()
        assert "no credentials were found" in trouble
        assert "boto3" in trouble


def _policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _post(url, body):
    headers = {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers, method="POST")).close()
