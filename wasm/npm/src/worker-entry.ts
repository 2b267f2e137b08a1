// The worker that the client makes where the app names no other.
import { serve } from './worker/index.js';

serve();
