import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLContext;
import mailkeep.AccountSettings;
import mailkeep.Connection;
import mailkeep.Event;
import mailkeep.MailException;
import mailkeep.MailboxInfo;
import mailkeep.Mailkeep;
import mailkeep.MessageRow;
import mailkeep.SignIn;
import mailkeep.SocketTransport;

/** A host in Java: no coroutines, checked exceptions, overloads instead of default arguments. */
public final class JavaHost {
    private JavaHost() {}

    /** Syncs an account into a new store, and gives the subjects of its inbox, newest first. */
    public static List<String> subjects(String path, AccountSettings settings, SSLContext tls) throws Exception {
        try (Mailkeep store = Mailkeep.open(path)) {
            long account = store.addAccount(settings);
            List<Event> events = new ArrayList<>();
            try (Connection connection = store.connect(account, SignIn.password(settings.getUser(), "secret"))) {
                long request = connection.wishSync();
                connection.wishLogout();
                connection.runBlocking(SocketTransport.open(settings, tls), events::add);
                boolean done = events.stream().anyMatch(e -> e instanceof Event.Done d && d.getRequest() == request && d.getError() == null);
                if (!done) throw new AssertionError("the sync is not done: " + events);
            }
            try {
                store.message(77_777_777_777L);
                throw new AssertionError("a message that is not there");
            } catch (MailException expected) {
                if (expected.getCode() != 200) throw expected;
            }
            for (MailboxInfo mailbox : store.mailboxes(account)) {
                if (mailbox.getName().equals("INBOX")) {
                    return store.page(mailbox.getId()).getRows().stream().map(MessageRow::getSubject).toList();
                }
            }
            throw new AssertionError("no inbox");
        }
    }
}
