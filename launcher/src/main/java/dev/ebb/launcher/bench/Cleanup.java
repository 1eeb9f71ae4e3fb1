package dev.ebb.launcher.bench;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/** Undoes what a run made, the newest first, once: at its end or when the JVM is told to stop. */
final class Cleanup implements AutoCloseable {
  private final Deque<Step> steps = new ArrayDeque<>();
  private final Thread hook = new Thread(this::run, "ebb-bench-cleanup");
  private volatile boolean begun;

  private record Step(String what, Action action) {}

  /** Undoes one thing. */
  interface Action {
    void run() throws Exception;
  }

  Cleanup() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /**
   * Remembers a step; runs it at once where the end has come already.
   *
   * @param what completes "could not …"
   */
  synchronized void add(String what, Action action) {
    var step = new Step(what, action);
    if (begun) {
      run(step);
    } else {
      steps.push(step);
    }
  }

  /** Whether what fails now fails because of the end. */
  boolean hasBegun() {
    return begun;
  }

  @Override
  public void close() {
    run();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The JVM stops: the hook finds nothing left to do.
    }
  }

  private synchronized void run() {
    begun = true;
    for (@Nullable Step step = steps.poll(); step != null; step = steps.poll()) {
      run(step);
    }
  }

  private static void run(Step step) {
    try {
      step.action().run();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (Exception e) {
      System.err.println("ebb bench: could not " + step.what() + ": " + e.getMessage());
    }
  }

  /** Deletes a directory and everything in it. */
  static void deleteTree(Path root) throws IOException {
    if (Files.notExists(root)) {
      return;
    }
    Files.walkFileTree(
        root,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.deleteIfExists(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException error)
              throws IOException {
            Files.deleteIfExists(directory);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
