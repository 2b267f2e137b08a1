// Hands the package to the tests, which drive the page from outside.
import * as mailkeep from '/mailkeep/index.js';

globalThis.mailkeep = mailkeep;
