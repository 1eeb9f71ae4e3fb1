package dev.ebb.launcher.up;

import java.lang.reflect.Proxy;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Waits for SIGINT, SIGTERM or SIGHUP. The first lets {@link #await} return; a second one ends the
 * process on the spot. A shutdown hook alone could not do that: the JVM ignores signals while its
 * hooks run.
 */
final class StopSignals {
  private static final Logger log = LoggerFactory.getLogger(StopSignals.class);
  private static final int EXIT_INTERRUPTED = 130;
  private static final String INTERRUPT = "INT";

  private final CountDownLatch received = new CountDownLatch(1);
  private final AtomicInteger count = new AtomicInteger();
  private volatile boolean fromTerminal;

  /** From now on. */
  static StopSignals listen() {
    var signals = new StopSignals();
    for (String name : new String[] {INTERRUPT, "TERM", "HUP"}) {
      signals.handle(name);
    }
    return signals;
  }

  void await() throws InterruptedException {
    received.await();
  }

  boolean isReceived() {
    return received.getCount() == 0;
  }

  /** Whether it was Ctrl-C: somebody sits there and waits. */
  boolean isFromTerminal() {
    return fromTerminal;
  }

  private void arrived(String name) {
    if (count.incrementAndGet() > 1) {
      Runtime.getRuntime().halt(EXIT_INTERRUPTED);
    }
    fromTerminal = name.equals(INTERRUPT);
    received.countDown();
  }

  /** Through reflection: javac warns about {@code sun.misc}, whatever one annotates. */
  @SuppressWarnings("ReferenceEquality") // a proxy equals itself alone
  private void handle(String name) {
    try {
      Class<?> signalClass = Class.forName("sun.misc.Signal");
      Class<?> handlerClass = Class.forName("sun.misc.SignalHandler");
      Object handler =
          Proxy.newProxyInstance(
              StopSignals.class.getClassLoader(),
              new Class<?>[] {handlerClass},
              (proxy, method, arguments) ->
                  switch (method.getName()) {
                    case "handle" -> {
                      arrived(name);
                      yield null;
                    }
                    case "hashCode" -> System.identityHashCode(proxy);
                    case "equals" -> proxy == arguments[0];
                    default -> "StopSignals";
                  });
      Object signal = signalClass.getConstructor(String.class).newInstance(name);
      signalClass.getMethod("handle", signalClass, handlerClass).invoke(null, signal, handler);
    } catch (ReflectiveOperationException | IllegalArgumentException e) {
      log.debug("SIG{} keeps its default effect", name, e);
    }
  }
}
