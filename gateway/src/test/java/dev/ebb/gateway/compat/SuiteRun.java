package dev.ebb.gateway.compat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/**
 * Runs classes of JUnit 4 one after another, in a JVM of its own since what they read of their
 * server's place is read once. What comes of each test is a line of a file: its name, {@code
 * passed}, {@code failed} or {@code skipped}, milliseconds, and why, with tabs between.
 */
final class SuiteRun extends RunListener {
  private final Path results;
  private final Map<String, Failure> failures = new HashMap<>();
  private long beganNanos;

  private SuiteRun(Path results) {
    this.results = results;
  }

  /** Arguments: the file, and the classes. */
  public static void main(String[] arguments) throws ClassNotFoundException {
    var core = new JUnitCore();
    core.addListener(new SuiteRun(Path.of(arguments[0])));
    for (String name : List.of(arguments).subList(1, arguments.length)) {
      core.run(Class.forName(name));
    }
    System.exit(0); // threads of the suite's may still run
  }

  private static String name(Description test) {
    String method = test.getMethodName();
    return test.getClassName().replaceFirst("^io\\.vertx\\.tests\\.", "")
        + (method == null ? "" : "#" + method);
  }

  @Override
  public void testStarted(Description test) {
    beganNanos = System.nanoTime();
  }

  @Override
  public void testFailure(Failure failure) throws IOException {
    if (failure.getDescription().getMethodName() == null) {
      write(failure.getDescription(), "failed", failure.getTrace());
    } else {
      failures.putIfAbsent(name(failure.getDescription()), failure);
    }
  }

  @Override
  public void testAssumptionFailure(Failure failure) {
    failures.putIfAbsent(name(failure.getDescription()), failure);
  }

  @Override
  public void testIgnored(Description test) throws IOException {
    write(test, "skipped", "");
  }

  @Override
  public void testFinished(Description test) throws IOException {
    Failure failure = failures.remove(name(test));
    if (failure == null) {
      write(test, "passed", "");
    } else if (failure.getException() instanceof org.junit.AssumptionViolatedException) {
      write(test, "skipped", "");
    } else {
      write(test, "failed", failure.getTrace());
    }
  }

  private void write(Description test, String outcome, String why) throws IOException {
    long ms = (System.nanoTime() - beganNanos) / 1_000_000;
    String shown = why.lines().limit(12).map(String::strip).reduce("", (a, b) -> a + " | " + b);
    Files.writeString(
        results,
        String.join("\t", name(test), outcome, "" + ms, shown) + "\n",
        StandardCharsets.UTF_8,
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
  }
}
