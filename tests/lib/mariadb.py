"""A real MariaDB server on a scratch directory, with an administrator who may come over TCP."""
import glob
import os
import pwd
import shutil
import subprocess

import pymysql

from . import process

ADMIN, ADMIN_PASSWORD = "admin", "admin-secret-7"
_SYSTEM_SCHEMAS = {"mysql", "information_schema", "performance_schema", "sys", "test"}
_SYSTEM_USERS = {"root", "mysql", "mariadb.sys", "", ADMIN}


def _program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")
    if not found:
        raise RuntimeError(f"{name} is not installed (tools/setup does that)")
    return found


class MariaDB:
    def __init__(self, directory):
        self.directory = os.path.join(directory, "mariadb")
        self.socket = os.path.join(self.directory, "s")
        self.log = os.path.join(self.directory, "log")
        self.general_log = os.path.join(self.directory, "statements")
        self._process = None

    def start(self, timeout=90):
        os.makedirs(self.directory, mode=0o755)
        user, drop = [], {}
        if os.geteuid() == 0:
            name = next(n for n in ("mysql", "nobody", "daemon") if _has_user(n))
            shutil.chown(self.directory, name)
            user = ["--user=" + name]
            # Not by --user as below: the server's own change of user would undo that it dies with its parent.
            drop = {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
        data, scratch = os.path.join(self.directory, "data"), os.path.join(self.directory, "tmp")
        os.mkdir(scratch)
        if user:
            shutil.chown(scratch, name)
        # A scratch directory of its own: the names of temporary tables clash between servers that start together.
        common = ["--no-defaults", "--datadir=" + data, "--tmpdir=" + scratch]
        made = subprocess.run([_program("mariadb-install-db"), *common, *user, "--skip-test-db",
                               "--auth-root-authentication-method=normal"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        if made.returncode:
            raise RuntimeError("mariadb-install-db: " + made.stdout + made.stderr)
        init = os.path.join(self.directory, "init.sql")
        with open(init, "w") as file:
            file.write(f"CREATE USER {ADMIN}@'%' IDENTIFIED BY '{ADMIN_PASSWORD}';\n"
                       f"GRANT ALL PRIVILEGES ON *.* TO {ADMIN}@'%' WITH GRANT OPTION;\n")
        self.port = process.free_port()
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [_program("mariadbd"), *common, "--socket=" + self.socket, "--port=" + str(self.port),
                 "--bind-address=127.0.0.1", "--pid-file=" + os.path.join(self.directory, "pid"), "--init-file=" + init,
                 "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M",
                 "--innodb-log-file-size=8M", "--max-connections=300", "--general-log=1",
                 "--general-log-file=" + self.general_log],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=process.dies_with_parent, **drop)
        process.wait_until(self._ready, timeout, "mariadbd", 0.05)
        return self

    def _ready(self):
        if self._process.poll() is not None:
            raise RuntimeError("mariadbd ended:\n" + process.tail(self.log))
        try:
            self.connect().close()
            return True
        except pymysql.err.OperationalError:
            return False

    def connect(self, user=ADMIN, password=ADMIN_PASSWORD, database=None):
        return pymysql.connect(host="127.0.0.1", port=self.port, user=user, password=password, database=database,
                               connect_timeout=10, read_timeout=30, autocommit=True)

    def query(self, sql, *arguments, **login):
        connection = self.connect(**login)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, arguments or None)
                return cursor.fetchall()
        finally:
            connection.close()

    def databases(self):
        return {row[0] for row in self.query("SHOW DATABASES")} - _SYSTEM_SCHEMAS

    def users(self):
        return {row[0] for row in self.query("SELECT User FROM mysql.user")} - _SYSTEM_USERS

    def statements(self):
        """All that the general statement log holds."""
        text = ""
        for path in glob.glob(self.general_log + "*"):
            with open(path, errors="replace") as file:
                text += file.read()
        return text

    def reset(self):
        for name in self.users():
            for (host,) in self.query("SELECT Host FROM mysql.user WHERE User=%s", name):
                self.query("DROP USER IF EXISTS %s@%s", name, host)
        for name in self.databases():
            self.query("DROP DATABASE IF EXISTS `" + name.replace("`", "``") + "`")

    def stop(self):
        if self._process:
            process.stop(self._process, 20)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def _has_user(name):
    try:
        pwd.getpwnam(name)
        return True
    except KeyError:
        return False
