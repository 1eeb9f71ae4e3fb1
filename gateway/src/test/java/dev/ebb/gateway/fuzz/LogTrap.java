package dev.ebb.gateway.fuzz;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.LoggerFactory;

/** Keeps what is logged that should not be: errors, leaks, and whatever has a stack trace. */
final class LogTrap extends AppenderBase<ILoggingEvent> implements AutoCloseable {
  private static final int MOST = 50;

  private final List<String> caught = new CopyOnWriteArrayList<>();
  private final Logger root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
  private final Level least;

  /**
   * @param least from which level on everything is kept
   */
  LogTrap(Level least) {
    this.least = least;
    setContext(root.getLoggerContext());
    start();
    root.addAppender(this);
  }

  @Override
  protected void append(ILoggingEvent event) {
    boolean isBad = event.getLevel().isGreaterOrEqual(least) || event.getThrowableProxy() != null;
    if (isBad && caught.size() < MOST) {
      var error = event.getThrowableProxy();
      caught.add(
          event.getLevel()
              + " "
              + event.getLoggerName()
              + ": "
              + event.getFormattedMessage()
              + (error == null
                  ? ""
                  : ch.qos.logback.classic.spi.ThrowableProxyUtil.asString(error)));
    }
  }

  List<String> caught() {
    return List.copyOf(caught);
  }

  @Override
  public void close() {
    root.detachAppender(this);
    stop();
  }
}
