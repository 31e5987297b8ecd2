"""A Spark session on this machine alone that writes nothing but its answers."""

import logging
import os
import shutil
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path


def local_session(cores: int = 2, memory: str = "512m"):
    """Start Spark inside this process's machine (Java 17 or newer needed) and return its `SparkSession`.

    The session listens on 127.0.0.1 only, has no web page and no progress bar, keeps its tables and scratch files in a
    temporary folder that goes when the JVM ends, shuffles into `cores` partitions instead of 200, and lives in UTC.
    What the JVM would write to the terminal goes to a file in that folder; its end is part of the error if Spark does
    not start.

    cores: threads that run tasks. memory: heap of the JVM, in Spark's notation.
    Raises `RuntimeError` if the JVM does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="spark-"))
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    logging.getLogger("SQLQueryContextLogger").disabled = True  # repeats every SQL error as JSON on stderr
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # remarks on versions of pandas, which nobody uses here
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.master(f"local[{cores}]").appName("studyguide")
        for key, value in {
            "spark.driver.bindAddress": "127.0.0.1",
            # A JVM that lives for half a minute spends most of it compiling: the first tier alone halves the work.
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": memory,
            "spark.local.dir": folder,
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": cores,
            "spark.sql.warehouse.dir": folder / "warehouse",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
        }.items():
            builder = builder.config(key, str(value))
        log = folder / "jvm.log"
        try:
            with _terminal_to(log):
                session = builder.getOrCreate()
        except Exception as error:
            tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            shutil.rmtree(folder, ignore_errors=True)
            raise RuntimeError(f"Spark did not start (it needs Java 17 or newer)\n{tail}") from error
    session.sparkContext.setLogLevel("ERROR")
    jvm = session.sparkContext._jvm  # ends with this process, however that ends; then it removes the folder
    jvm.org.apache.spark.util.ShutdownHookManager.registerShutdownDeleteDir(jvm.java.io.File(str(folder)))
    return session


@contextmanager
def _terminal_to(path: Path):
    """Point file descriptors 1 and 2, which a child process inherits for good, at the file `path`."""
    saved = os.dup(1), os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)
